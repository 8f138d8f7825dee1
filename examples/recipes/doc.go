// Package recipes has the recipes of docs/recipes.md that need other modules, and the
// code of other libraries that the pages on coming from them show. All are tests.
package recipes
