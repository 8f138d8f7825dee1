module github.com/seed-552c89fc/insist/proof/nethttp

go 1.26.0

require (
	github.com/seed-552c89fc/insist v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/seed-552c89fc/insist => ../..
