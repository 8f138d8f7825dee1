package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

func TestDownload(t *testing.T) {
	const size, cut = 2 << 20, 300 << 10
	s := serve(size, cut)
	defer s.Close()
	for _, c := range []struct {
		name, sum, err string
	}{
		{"whole", s.sum, ""},
		{"no check", "", ""},
		{"another checksum", strings.Repeat("0", 64), "should be 000"},
	} {
		var shown, got bytes.Buffer
		err := fetch(t.Context(), s.URL, &got, &progress{out: &shown}, insist.Constant(0), c.sum)
		assert.Equal(t, size, got.Len(), c.name)
		assert.GreaterOrEqual(t, strings.Count(shown.String(), "unexpected_eof"), size/cut, shown.String())
		if c.err == "" {
			assert.NoError(t, err, c.name)
		} else {
			assert.ErrorContains(t, err, c.err, c.name)
		}
	}
}

func TestAnAnswerThatIsNoFile(t *testing.T) {
	err := fetch(t.Context(), "http://127.0.0.1:1", io.Discard, &progress{out: io.Discard}, insist.Constant(0), "")
	require.Error(t, err)
}
