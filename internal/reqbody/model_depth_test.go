//go:build !race

package reqbody

const defaultSchedules = 1 << 30 // all
