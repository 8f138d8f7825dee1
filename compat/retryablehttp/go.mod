module github.com/hashicorp/go-retryablehttp

go 1.26

require (
	github.com/hashicorp/go-cleanhttp v0.5.2
	github.com/seed-552c89fc/insist v0.0.0
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/seed-552c89fc/insist => ../..
