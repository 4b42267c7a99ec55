package web

import "github.com/esawatch/esawatch/checks/catalog"

// Content is what the configuration in force gives the pages.
type Content struct {
	Sites       []Site // in the order of the configuration
	Catalog     *catalog.Catalog
	ExternalURL string
}

// Site is one website as the configuration has it.
type Site struct {
	Name       string
	URL        string
	Origin     string // HOST:PORT, "" with none
	Labels     map[string]string
	RunbookURL string
	Checks     []Check // the enabled ones
}

// Check is one check of a site.
type Check struct {
	Name     string
	URL      string
	Method   string
	Schedule string // as it was written
	Failures int    // in a row that fire
	Labels   map[string]string
}

// site returns the site of that name, nil if the configuration has none.
func (c *Content) site(name string) *Site {
	for i := range c.Sites {
		if c.Sites[i].Name == name {
			return &c.Sites[i]
		}
	}
	return nil
}

// has tells whether the configuration has the check.
func (c *Content) has(site, check string) bool {
	s := c.site(site)
	if s == nil {
		return false
	}
	for i := range s.Checks {
		if s.Checks[i].Name == check {
			return true
		}
	}
	return false
}

// count is the number of checks.
func (c *Content) count() int {
	n := 0
	for i := range c.Sites {
		n += len(c.Sites[i].Checks)
	}
	return n
}
