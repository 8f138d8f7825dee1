// Package retryablehttp has the exported API of
// github.com/hashicorp/go-retryablehttp v0.7.8 and the engine of
// github.com/seed-552c89fc/insist. An application that uses an SDK with that
// library built in changes how the SDK retries by one line of its go.mod:
//
//	replace github.com/hashicorp/go-retryablehttp => github.com/seed-552c89fc/insist/compat/retryablehttp v…
//
// A request that is not idempotent (POST, PATCH) is retried only where that can't
// carry it out twice: nothing of it was sent, or the server says that it did
// nothing. EditPolicy changes this and the other rules of the engine.
//
// The README of this directory lists all that differs from the original.
package retryablehttp
