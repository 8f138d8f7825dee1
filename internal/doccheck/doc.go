// Package doccheck holds the documentation against the repository: its tests fail
// where a page shows Go code that no test has, an output that no program prints, a
// command that names nothing, a link or an anchor that leads nowhere, or where an
// exported name of the core is on no page.
package doccheck
