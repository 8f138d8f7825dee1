//go:build race

package reqbody

// The race detector makes each step ten times as slow.
const defaultSchedules = 60
