package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

type (
	call = sabotage.Call[*world]
	step = sabotage.Step[*world]
)

var question = responses.ResponseNewParams{
	Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Say hello to the world")},
	Model: openai.ChatModelGPT5_2,
}

var ask = call{Name: "Responses.New", Make: func(w *world) (string, error) {
	response, err := w.client.Responses.New(w.ctx, question)
	if err != nil {
		return "", err
	}
	if response.Status == responses.ResponseStatusFailed {
		return "", errors.New("failed: " + string(response.Error.Code))
	}
	return response.OutputText(), nil
}}

// listen acknowledges the first event; the API sends the second one after that.
var listen = call{Name: "Responses.NewStreaming", Make: func(w *world) (string, error) {
	stream := w.client.Responses.NewStreaming(w.ctx, question)
	defer stream.Close()
	var text strings.Builder
	for stream.Next() {
		switch event := stream.Current(); event.Type {
		case "response.output_text.delta":
			if text.Len() == 0 {
				w.api.heard <- struct{}{}
			}
			text.WriteString(event.Delta)
		case "response.completed":
			if text.String() != "hello, world" {
				return "", fmt.Errorf("got %q", &text)
			}
			return text.String(), nil
		}
	}
	if err := stream.Err(); err != nil {
		return "", err
	}
	return "", errors.New("the stream ended before the response was complete")
}}

var upload = call{Name: "Files.New", Make: func(w *world) (string, error) {
	return uploadBy(w.ctx, w)
}}

// uploadForSure sends the file again also where the response was lost: a second
// copy of it can be deleted.
var uploadForSure = call{Name: "Files.New, for sure", Make: func(w *world) (string, error) {
	return uploadBy(insist.EditPolicy(w.ctx, func(p *insist.Policy) { p.NonIdempotent = insist.ResendEvenIfLost }), w)
}}

func uploadBy(ctx context.Context, w *world) (string, error) {
	file, err := w.client.Files.New(ctx, openai.FileNewParams{
		File:    bytes.NewReader(document),
		Purpose: openai.FilePurposeUserData,
	})
	if err != nil {
		return "", err
	}
	return file.ID, nil
}
