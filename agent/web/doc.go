// Package web shows: metrics, health and the API over HTTP. It reads what the
// agent knows and feeds nothing back but what a user may ask for: a
// reload, a run of a check, a silence. Those are guarded.
package web
