package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

type (
	call = sabotage.Call[*world]
	step = sabotage.Step[*world]
)

var question = anthropic.MessageNewParams{
	MaxTokens: 1024,
	Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Say hello to the world"))},
	Model:     anthropic.ModelClaudeOpus5_5,
}

var ask = call{Name: "Messages.New", Make: func(w *world) (string, error) {
	message, err := w.client.Messages.New(w.ctx, question)
	if err != nil {
		return "", err
	}
	return message.Content[0].Text, nil
}}

// listen acknowledges the first words; the API sends the others after that.
var listen = call{Name: "Messages.NewStreaming", Make: func(w *world) (string, error) {
	stream := w.client.Messages.NewStreaming(w.ctx, question)
	defer stream.Close()
	var text strings.Builder
	for stream.Next() {
		switch event := stream.Current(); event.Type {
		case "content_block_delta":
			if text.Len() == 0 {
				w.api.heard <- struct{}{}
			}
			text.WriteString(event.Delta.Text)
		case "message_stop":
			if text.String() != "hello, world" {
				return "", fmt.Errorf("got %q", &text)
			}
			return text.String(), nil
		}
	}
	if err := stream.Err(); err != nil {
		return "", err
	}
	return "", errors.New("the stream ended before the message was complete")
}}
