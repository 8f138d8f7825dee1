//go:build race

package insist

const raceEnabled = true
