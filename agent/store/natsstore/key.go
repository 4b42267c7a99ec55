package natsstore

import (
	"fmt"
	"slices"
	"strings"
)

// A key becomes a subject: "/" parts its tokens, so that the server can filter by
// a prefix that ends there; what a token may not hold is written =XX, and an
// empty one "=".
const (
	keyPrefix   = "k."
	chunkPrefix = "c."
	stampKey    = "stamp" // see bucket.stamp
)

// encodeKey is the subject of a key within the bucket.
func encodeKey(key string) string {
	var b strings.Builder
	b.WriteString(keyPrefix)
	for i, token := range strings.Split(key, "/") {
		if i > 0 {
			b.WriteByte('.')
		}
		if token == "" {
			b.WriteByte('=')
		}
		for j := range len(token) {
			switch c := token[j]; {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
				b.WriteByte(c)
			default:
				fmt.Fprintf(&b, "=%02X", c)
			}
		}
	}
	return b.String()
}

// decodeKey is the reverse. The bool is false for what is none of ours: a key has
// one subject only, or there would be two values of it.
func decodeKey(subject string) (string, bool) {
	rest, ok := strings.CutPrefix(subject, keyPrefix)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i, token := range strings.Split(rest, ".") {
		if i > 0 {
			b.WriteByte('/')
		}
		if token == "=" {
			continue
		}
		for len(token) > 0 {
			if token[0] != '=' {
				b.WriteByte(token[0])
				token = token[1:]
				continue
			}
			var c byte
			if len(token) < 3 {
				return "", false
			}
			if _, err := fmt.Sscanf(token[1:3], "%02X", &c); err != nil {
				return "", false
			}
			b.WriteByte(c)
			token = token[3:]
		}
	}
	key := b.String()
	return key, encodeKey(key) == subject
}

// filter is the subjects below which all keys with the prefix lie. It may take in
// more than those.
func filter(prefix string) string {
	i := strings.LastIndexByte(prefix, '/')
	if i < 0 {
		return keyPrefix + ">"
	}
	return encodeKey(prefix[:i]) + ".>"
}

// filters are the subjects below which all keys with any of the prefixes lie. None
// is within another, which the server would refuse.
func filters(prefixes []string) []string {
	var all []string
	for _, p := range prefixes {
		all = append(all, filter(p))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(slices.Clone(all), func(f string) bool {
		return slices.ContainsFunc(all, func(wider string) bool {
			return wider != f && strings.HasPrefix(f, strings.TrimSuffix(wider, ">"))
		})
	})
}
