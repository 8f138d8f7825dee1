package memory

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestReader is a line per kind of body.
func TestReader(t *testing.T) {
	text, data, buffer := strings.NewReader("x"), bytes.NewReader([]byte("x")), bytes.NewBufferString("x")
	other := struct{ io.Reader }{text}
	for _, c := range []struct {
		name string
		body io.ReadCloser
		want io.Reader
	}{
		{"strings.Reader", io.NopCloser(text), text},
		{"bytes.Reader", io.NopCloser(data), data},
		{"bytes.Buffer", io.NopCloser(buffer), buffer},
		{"another reader", io.NopCloser(other), nil},
		{"another closer", http.MaxBytesReader(nil, io.NopCloser(text), 1), nil},
		{"nothing in it", io.NopCloser(nil), nil},
		{"http.NoBody", http.NoBody, nil},
		{"none", nil, nil},
	} {
		assert.Equal(t, c.want, Reader(c.body), c.name)
	}
	body := io.NopCloser(text)
	assert.Zero(t, testing.AllocsPerRun(100, func() { Reader(body) }))
}
