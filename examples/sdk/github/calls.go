package main

import (
	"fmt"
	"os"

	"github.com/google/go-github/v89/github"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

type (
	call = sabotage.Call[*world]
	step = sabotage.Step[*world]
)

var get, getRenamed = getOf("tool"), getOf("renamed")

func getOf(repo string) call {
	return call{Name: "Repositories.Get", Make: func(w *world) (string, error) {
		r, _, err := w.client.Repositories.Get(w.ctx, "octo", repo)
		if err != nil {
			return "", err
		}
		return r.GetFullName(), nil
	}}
}

var count = call{Name: "ListContributorsStats", Make: func(w *world) (string, error) {
	stats, _, err := w.client.Repositories.ListContributorsStats(w.ctx, "octo", "tool")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d commits", stats[0].GetTotal()), nil
}}

var open = call{Name: "Issues.Create", Make: func(w *world) (string, error) {
	issue, _, err := w.client.Issues.Create(w.ctx, "octo", "tool", &github.IssueRequest{Title: github.Ptr("It breaks")})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("issue %d", issue.GetNumber()), nil
}}

var upload = call{Name: "UploadReleaseAsset", Make: func(w *world) (string, error) {
	file, err := os.Open(w.file)
	if err != nil {
		return "", err
	}
	defer file.Close()
	asset, _, err := w.client.Repositories.UploadReleaseAsset(w.ctx, "octo", "tool", 7,
		&github.UploadOptions{Name: "tool.tar.gz"}, file)
	if err != nil {
		return "", err
	}
	return asset.GetName(), nil
}}
