module github.com/seed-552c89fc/insist

go 1.26

require github.com/hashicorp/go-cleanhttp v0.5.2

require (
	github.com/stretchr/testify v1.12.1
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
