package jsonscan

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, pointer string
		steps         []step
		err           string
	}{
		{"whole document", "", nil, ""},
		{"one step", "/ret_code", []step{{"ret_code", notAnIndex}}, ""},
		{"two steps", "/a/b", []step{{"a", notAnIndex}, {"b", notAnIndex}}, ""},
		{"empty step", "/", []step{{"", notAnIndex}}, ""},
		{"empty steps", "//a/", []step{{"", notAnIndex}, {"a", notAnIndex}, {"", notAnIndex}}, ""},
		{"index 0", "/0", []step{{"0", 0}}, ""},
		{"index", "/120", []step{{"120", 120}}, ""},
		{"leading zero", "/01", []step{{"01", notAnIndex}}, ""},
		{"two zeros", "/00", []step{{"00", notAnIndex}}, ""},
		{"minus", "/-", []step{{"-", notAnIndex}}, ""},
		{"negative", "/-1", []step{{"-1", notAnIndex}}, ""},
		{"exponent", "/1e1", []step{{"1e1", notAnIndex}}, ""},
		{"too large", "/9999999999999999999999", []step{{"9999999999999999999999", notAnIndex}}, ""},
		{"slash", "/a~1b", []step{{"a/b", notAnIndex}}, ""},
		{"tilde", "/a~0b", []step{{"a~b", notAnIndex}}, ""},
		{"tilde, then one", "/~01", []step{{"~1", notAnIndex}}, ""},
		{"slash, then zero", "/~10", []step{{"/0", notAnIndex}}, ""},
		{"two tildes", "/~0~0", []step{{"~~", notAnIndex}}, ""},
		{"anything else as it is", "/ \"\\%41\x00ä", []step{{" \"\\%41\x00ä", notAnIndex}}, ""},

		{"no slash", "a", nil, "slash"},
		{"URI fragment", "#/a", nil, "slash"},
		{"tilde at the end", "/a~", nil, "~"},
		{"tilde and 2", "/a~2", nil, "~"},
		{"tilde and slash", "/~/a", nil, "~"},
		{"tilde and tilde", "/~~0", nil, "~"},
		{"not UTF-8", "/\xff", nil, "UTF-8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Parse(tc.pointer)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(err.Error(), strconv.Quote(tc.pointer)) {
					t.Errorf("got %v, want an error with the pointer and %q", err, tc.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(p.steps, tc.steps) {
				t.Errorf("got %v %v, want %v", p.steps, err, tc.steps)
			}
		})
	}
}
