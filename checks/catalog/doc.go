// Package catalog knows what each condition means: what broke, where, whose it
// is and what to do first. It knows no network and no clock.
package catalog
