module github.com/seed-552c89fc/insist

go 1.26

require github.com/hashicorp/go-cleanhttp v0.5.2
