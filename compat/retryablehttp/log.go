package retryablehttp

import (
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Logger is a Client's logger, as log.Logger is one.
type Logger interface {
	Printf(string, ...interface{})
}

// LeveledLogger is a Client's logger that has levels, and pairs of keys and
// values. A logger that is a Logger, too, is used as a LeveledLogger.
type LeveledLogger interface {
	Error(msg string, keysAndValues ...interface{})
	Info(msg string, keysAndValues ...interface{})
	Debug(msg string, keysAndValues ...interface{})
	Warn(msg string, keysAndValues ...interface{})
}

// logger is what Client.Logger turned out to be. Both fields are nil if nothing is
// to be logged.
type logger struct {
	plain   Logger
	leveled LeveledLogger
}

func loggerOf(v interface{}) logger {
	switch l := v.(type) {
	case LeveledLogger:
		return logger{leveled: l}
	case Logger:
		return logger{plain: l}
	}
	return logger{}
}

func (l logger) on() bool { return l.plain != nil || l.leveled != nil }

// hooks returns the logger that a hook gets, nil if there is none.
func (l logger) hooks() Logger {
	if l.leveled != nil {
		return printf{l.leveled}
	}
	return l.plain
}

// printf makes a Logger of a LeveledLogger.
type printf struct{ LeveledLogger }

func (p printf) Printf(format string, args ...interface{}) {
	p.Info(fmt.Sprintf(format, args...))
}

func (l logger) performing(req *http.Request) {
	switch {
	case l.leveled != nil:
		l.leveled.Debug("performing request", "method", req.Method, "url", redactURL(req.URL))
	case l.plain != nil:
		l.plain.Printf("[DEBUG] %s %s", req.Method, redactURL(req.URL))
	}
}

func (l logger) failed(req *http.Request, err error) {
	switch {
	case l.leveled != nil:
		l.leveled.Error("request failed", "error", redactError(err), "method", req.Method, "url", redactURL(req.URL))
	case l.plain != nil:
		l.plain.Printf("[ERR] %s %s request failed: %s", req.Method, redactURL(req.URL), redactError(err))
	}
}

func (l logger) retrying(req *http.Request, status int, wait time.Duration, left int) {
	what := fmt.Sprintf("%s %s", req.Method, redactURL(req.URL))
	if status != 0 {
		what = fmt.Sprintf("%s (status: %d)", what, status)
	}
	switch {
	case l.leveled != nil:
		l.leveled.Debug("retrying request", "request", what, "timeout", wait, "remaining", left)
	case l.plain != nil:
		l.plain.Printf("[DEBUG] %s: retrying in %s (%d left)", what, wait, left)
	}
}

// redactURL returns u without what may be secret: credentials, query, fragment.
func redactURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	safe := url.URL{Scheme: u.Scheme, Opaque: u.Opaque, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if u.User != nil {
		safe.User = url.User("xxxxx")
	}
	return safe.String()
}

// redactError returns the text of err, where net/http puts the URL into it
// without query and credentials.
func redactError(err error) string {
	wrapped, ok := err.(*url.Error)
	if !ok {
		return err.Error()
	}
	where := "?"
	if u, bad := url.Parse(wrapped.URL); bad == nil {
		where = redactURL(u)
	}
	if wrapped.Err == nil {
		return fmt.Sprintf("%s %q", wrapped.Op, where)
	}
	return fmt.Sprintf("%s %q: %s", wrapped.Op, where, redactError(wrapped.Err))
}
