module github.com/seed-552c89fc/insist/examples/sdk

go 1.26

replace github.com/seed-552c89fc/insist => ../../

require (
	github.com/seed-552c89fc/insist v0.0.0
	github.com/yunify/qingcloud-sdk-go v2.0.0-alpha.38+incompatible
)

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/sirupsen/logrus v1.10.2 // indirect
	golang.org/x/sys v0.13.0 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
)
