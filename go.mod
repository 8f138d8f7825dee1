module github.com/seed-552c89fc/insist

go 1.26
