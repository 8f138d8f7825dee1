package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// lifetime is how long a signature is good for.
const lifetime = time.Minute

// fakeAPI speaks as much of QingCloud's API as is called here. What it has
// created is its ledger.
type fakeAPI struct {
	account account

	mu          sync.Mutex
	instances   []string
	attachments []string // their contents
}

// ledger returns what has been created.
func (f *fakeAPI) ledger() (instances, attachments []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.instances), slices.Clone(f.attachments)
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := req.ParseForm(); err != nil {
		f.answer(w, map[string]any{"ret_code": 1100, "message": "InvalidRequestFormat"})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch signed, err := time.Parse(time.RFC3339, req.Form.Get("time_stamp")); {
	case req.Form.Get("signature") != f.signature(req):
		f.answer(w, map[string]any{"ret_code": 1200, "message": "AuthFailure"})
	case err != nil || time.Since(signed) > lifetime:
		f.answer(w, map[string]any{"ret_code": 1300, "message": "RequestHasExpired"})
	default:
		f.answer(w, f.carryOut(req.Form))
	}
}

// signature is the one that the request should have: of its method, path, and
// parameters in their order.
func (f *fakeAPI) signature(req *http.Request) string {
	signed := make(url.Values)
	for name, values := range req.Form {
		if name != "signature" {
			signed[name] = values
		}
	}
	parameters := strings.ReplaceAll(signed.Encode(), "+", "%20")
	mac := hmac.New(sha256.New, []byte(f.account.secret))
	fmt.Fprintf(mac, "%s\n%s\n%s", req.Method, req.URL.Path, parameters)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (f *fakeAPI) carryOut(form url.Values) map[string]any {
	answer := map[string]any{"action": form.Get("action") + "Response", "ret_code": 0}
	switch form.Get("action") {
	case "DescribeInstances":
		set := []map[string]string{}
		for _, id := range f.instances {
			set = append(set, map[string]string{"instance_id": id, "status": "running"})
		}
		answer["instance_set"], answer["total_count"] = set, len(set)
	case "RunInstances":
		id := fmt.Sprintf("i-%08d", len(f.instances)+1)
		f.instances = append(f.instances, id)
		answer["instances"] = []string{id}
	case "UploadUserDataAttachment":
		f.attachments = append(f.attachments, form.Get("attachment_content"))
		answer["attachment_id"] = fmt.Sprintf("uda-%08d", len(f.attachments))
	default:
		return map[string]any{"ret_code": 1100, "message": "InvalidRequestFormat"}
	}
	return answer
}

// answer answers 200, whatever happened. The SDK reads no other Content-Type.
func (f *fakeAPI) answer(w http.ResponseWriter, v map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
