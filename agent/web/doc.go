// Package web shows: metrics, health and the API over HTTP. It reads what the
// agent knows and feeds nothing back but the two things that a user may ask
// for, which are guarded.
package web
