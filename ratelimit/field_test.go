package ratelimit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// fields have the longest window, in seconds, of the limits that are used up; -1
// means none.
var fields = []struct {
	field string
	want  int64
}{
	{``, -1},
	{`"default";r=0;t=30`, 30},
	{`"default";r=50;t=30`, -1},
	{`"default"; r=0;  t=30`, 30},
	{`"default";t=30;r=0`, 30},
	{" \"default\";r=0;t=30 \t", 30},
	{"\t\"default\";r=0;t=30", -1},
	{`"default";r=0;t=0`, 0},
	{`"default";r=-0;t=30`, 30},
	{`"default";r=000000000000000;t=030`, 30},
	{`"minute";r=0;t=30,"hour";r=0;t=600`, 600},
	{"\"minute\";r=0;t=30 \t,\t \"hour\";r=0;t=600", 600},
	{`"minute";r=0;t=30, "hour";r=7;t=600`, 30},
	{`"peruser";r=0;t=60;pk=:QXBwLTk5OQ==:`, 60},
	{`"a";acme-burst;r=0;acme.x=?1;t=5;*y=1.5;z=@1767225600;d=%"%c3%a4";e="x;r=9"`, 5},
	{`"a;r=9;t=1, \"b\\";r=0;t=5`, 5},
	{`default;r=0;t=5`, 5},
	{`*d/e:f;r=0;t=5`, 5},
	{`1;r=0;t=5`, 5},
	{`1.5;r=0;t=5`, 5},
	{`:QQ==:;r=0;t=5`, 5},
	{`"a";r=9;r=0;t=5;t=6`, 6}, // the last of each
	{`"a";r=0;r=9;t=5`, -1},
	{`"a";r=0;t=5;t`, -1},

	// Not of the type that the draft asks for: that limit is not read.
	{`"a";r=0`, -1},
	{`"a";t=5`, -1},
	{`"a";r;t=5`, -1},
	{`"a";r=0.0;t=5`, -1},
	{`"a";r="0";t=5`, -1},
	{`"a";r=?0;t=5`, -1},
	{`"a";r=@0;t=5`, -1},
	{`"a";r=-1;t=5`, -1},
	{`"a";r=0;t=-5`, -1},
	{`"a";r=0;t=5.0`, -1},
	{`"a";r=0;t=soon, "b";r=0;t=5`, 5},

	// Malformed: nothing is read.
	{`"a";r=0;t=5,`, -1},
	{`,"a";r=0;t=5`, -1},
	{`"a";r=0;t=5,,"b"`, -1},
	{`"a";r=0;t=5 "b"`, -1},
	{`"a" ;r=0;t=5`, -1},
	{`"a";r =0;t=5`, -1},
	{`"a";r= 0;t=5`, -1},
	{"\"a\";\tr=0;t=5", -1},
	{`"a";r=0;t=5;`, -1},
	{`"a";r=0;t=5;U=1`, -1},
	{`"a";r=0;t=5;u=`, -1},
	{`"a;r=0;t=5`, -1},
	{`"a\x";r=0;t=5`, -1},
	{`"ä";r=0;t=5`, -1},
	{`a";r=0;t=5`, -1},
	{`("a" "b");r=0;t=5`, -1},
	{`"a";r=0;t=1000000000000000`, -1}, // 16 digits
	{`"a";r=0;t=+5`, -1},
	{`"a";r=0;t=5.`, -1},
	{`"a";r=0;t=5;d=%"%C3"`, -1},
	{`limit=10, remaining=0, reset=50`, -1}, // draft 7
	{"\"a\";r=0;t=5\n", -1},
}

func TestUsedUp(t *testing.T) {
	for _, c := range fields {
		got, found := usedUp(c.field)
		assert.Equal(t, c.want >= 0, found, c.field)
		assert.Equal(t, time.Duration(max(0, c.want))*time.Second, got, c.field)
	}
}
