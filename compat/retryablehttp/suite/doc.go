// Package suite holds compat/retryablehttp against the original: its exported API,
// and its tests. It is a module of its own, since the module that it tests has the
// original's path.
package suite

import (
	_ "github.com/hashicorp/go-hclog" // of the original's tests
	_ "github.com/hashicorp/go-retryablehttp"
)
