// Package sdks runs SDKs that have go-retryablehttp built in against a server with
// faults, before and after the replace line: original.mod is go.mod without that
// line. It is a module of its own, so that no other one depends on an SDK.
package sdks
