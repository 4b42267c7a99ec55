package web

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"go.yaml.in/yaml/v4"
)

// openAPI describes the API for people and programs. Tests hold every answer
// against it.
//
//go:embed openapi.yaml
var openAPI []byte

// describe is the description in JSON. An error means that the program was built
// from a broken file.
func describe() ([]byte, error) {
	var doc any
	if err := yaml.Unmarshal(openAPI, &doc); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return append(body, '\n'), nil
}

// apiDescription gives the description of the API.
func (s *Server) apiDescription(w http.ResponseWriter, r *http.Request) {
	if q := queryOf(r); !q.ok(w, r) {
		return
	}
	body, err := s.description()
	if err != nil {
		s.unread(w, r, err)
		return
	}
	writeStable(w, r, body)
}
