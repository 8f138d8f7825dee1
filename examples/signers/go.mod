module github.com/seed-552c89fc/insist/examples/signers

go 1.26.0

replace github.com/seed-552c89fc/insist => ../../

require (
	github.com/icholy/digest v1.2.0
	github.com/seed-552c89fc/insist v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
