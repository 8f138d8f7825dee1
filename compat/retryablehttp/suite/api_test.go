package suite

import (
	"go/types"
	"slices"
	"testing"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

const path = "github.com/hashicorp/go-retryablehttp"

// What compat/retryablehttp has beyond the original's API.
var additions = []string{
	"EditPolicy: added",
	"MaxBufferedBytes: added",
}

func TestAPI(t *testing.T) {
	report := apidiff.Changes(load(t, "."), load(t, ".."))
	var added []string
	for _, change := range report.Changes {
		if !change.Compatible {
			t.Errorf("incompatible: %s", change.Message)
			continue
		}
		added = append(added, change.Message)
	}
	if slices.Sort(added); !slices.Equal(added, additions) {
		t.Errorf("added: %q, want %q", added, additions)
	}
}

// load returns the package as it is seen from a module in dir.
func load(t *testing.T, dir string) *types.Package {
	t.Helper()
	found, err := packages.Load(&packages.Config{
		Dir:  dir,
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports,
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	if packages.PrintErrors(found) > 0 || len(found) != 1 {
		t.Fatalf("%d packages", len(found))
	}
	return found[0].Types
}
