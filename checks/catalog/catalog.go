package catalog

import (
	"maps"
	"slices"
	"sync"
)

// Catalog holds what every condition means. It is immutable and safe for
// concurrent use; With makes another that shares all it does not change.
type Catalog struct {
	built *built
	// own are the entries that overrides changed or added.
	own map[Condition]*entry
}

// built is the part that comes from the embedded files and is never changed.
type built struct {
	entries  map[Condition]*entry
	order    []Condition // codes ascending, named conditions, fallbacks
	words    words
	verdicts []rule
	evidence [numSigns]*advice
}

var loadOnce = sync.OnceValues(load)

// Load returns the built-in catalog, parsed at the first call. An error means
// that the program was built from broken files.
func Load() (*Catalog, error) { return loadOnce() }

// Default is Load for callers with nobody to tell: the embedded files are part
// of the program, and its tests hold that they load.
func Default() *Catalog {
	c, err := Load()
	if err != nil {
		panic(err)
	}
	return c
}

// Entry returns the entry of exactly this condition.
func (c *Catalog) Entry(condition Condition) (Entry, bool) {
	e, ok := c.exact(condition)
	if !ok {
		return Entry{}, false
	}
	return e.public(), true
}

// Lookup returns the entry of a condition or, for a status code with none of
// its own, of what it falls back to. Its Condition is the one asked for.
func (c *Catalog) Lookup(condition Condition) Entry {
	e := c.find(condition).public()
	e.Condition = condition
	return e
}

// View is Lookup in one language, "en" or "zh", with general words in the
// places of facts.
func (c *Catalog) View(condition Condition, language string) View {
	v := c.find(condition).view(&c.built.words, langOf(language))
	v.Condition = condition
	return v
}

// Entries lists all entries: status codes ascending, then the named conditions
// in the order of the documentation, then the fallbacks.
func (c *Catalog) Entries() []Entry {
	order := c.Conditions()
	entries := make([]Entry, 0, len(order))
	for _, condition := range order {
		e, _ := c.exact(condition)
		entries = append(entries, e.public())
	}
	return entries
}

// Conditions lists the conditions of all entries, in the order of Entries.
func (c *Catalog) Conditions() []Condition {
	order := slices.Clone(c.built.order)
	for _, condition := range slices.Sorted(maps.Keys(c.own)) {
		if _, known := c.built.entries[condition]; known {
			continue
		}
		// Only status codes can be added; they go among the codes.
		at, _ := slices.BinarySearchFunc(order, condition.StatusCode(), func(o Condition, code int) int {
			if o.StatusCode() == 0 {
				return 1
			}
			return o.StatusCode() - code
		})
		order = slices.Insert(order, at, condition)
	}
	return order
}

func (c *Catalog) exact(condition Condition) (*entry, bool) {
	if e, ok := c.own[condition]; ok {
		return e, true
	}
	e, ok := c.built.entries[condition]
	return e, ok
}

func (c *Catalog) find(condition Condition) *entry {
	if e, ok := c.exact(condition); ok {
		return e
	}
	e, _ := c.exact(fallback(condition))
	return e
}

// fallback is the entry that stands in for a condition without one. A name
// that nobody knows can only be our own mistake.
func fallback(condition Condition) Condition {
	switch code := condition.StatusCode(); {
	case code == 0:
		return InternalError
	case code < 400:
		return UnexpectedStatus
	case code < 500:
		return Fallback4xx
	case 520 <= code && code <= 599:
		return FallbackReserved
	default:
		return Fallback5xx
	}
}

// public is a copy of what users of the package see, so that nothing they do
// to it reaches the catalog.
func (e *entry) public() Entry {
	p := e.Entry
	p.Steps = slices.Clone(p.Steps)
	return p
}
