package insist_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/internal/leak"
)

// TestManyAtOnce makes calls of all kinds at once over one transport, to a server
// that fails in all ways, some of them given up by the caller.
func TestManyAtOnce(t *testing.T) {
	const workers, calls = 64, 3
	leak.Check(t)
	srvEach(t, func(t *testing.T, p srvProto) {
		var hits counter
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			n := hits.next(r)
			if n > 2 {
				io.WriteString(w, digestOf(r.Body))
				return
			}
			which := int(r.URL.Path[len(r.URL.Path)-1]) + n
			if f := faults[which%len(faults)]; p == http11 || f.name == "early 503" || f.name == "stream aborted" {
				f.play(w, r)
			}
			// On HTTP/2 a connection is everybody's: cut it, and others pay.
			w.WriteHeader(http.StatusBadGateway)
		})
		transport := s.over()
		data := srvPattern(100_000)
		want := digest(data)
		var group sync.WaitGroup
		for worker := range workers {
			group.Go(func() {
				for i := range calls {
					req, record := s.request(t, "PUT", fmt.Sprintf("/%d/%d", worker, i), nil)
					bodies := uploads[(worker+i)%len(uploads)].give(req, data)
					if i == 0 {
						ctx, cancel := context.WithCancel(req.Context())
						req = req.WithContext(ctx)
						go func() {
							for range rand.N(3000) {
								hits.count("") // a while
							}
							cancel()
						}()
					}
					resp, err := transport.RoundTrip(req)
					if err == nil {
						body, _ := io.ReadAll(resp.Body)
						resp.Body.Close()
						assert.True(t, string(body) == want || i == 0, "%s", body)
					} else if i > 0 {
						assert.NoError(t, err, "%v", record.Calls())
					}
					bodies.check(t)
				}
			})
		}
		group.Wait()
	})
}
