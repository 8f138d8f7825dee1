module github.com/seed-552c89fc/insist/integrationtests/golangx

go 1.26.0

replace github.com/seed-552c89fc/insist => ../..

require (
	github.com/seed-552c89fc/insist v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/net v0.60.0
	golang.org/x/oauth2 v0.36.0
)

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/text v0.42.0 // indirect
)
