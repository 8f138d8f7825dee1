//go:build !linux

package between

import "time"

func sleepReally(d time.Duration) { time.Sleep(d) }
