package config

// source is a file that was read, kept so that a later step can still be told
// the line of what it finds wrong.
type source struct {
	file string
	data []byte
}
