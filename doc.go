// Package insist retries: HTTP requests below any http.Client, and functions.
package insist
