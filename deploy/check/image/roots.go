package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// defaultRoots are Mozilla's, as Debian has them. Not /etc/ssl/certs: that has
// whatever else the building machine trusts, such as its company's proxy, and an
// agent that trusts more than visitors do finds less. Two machines with the same
// ca-certificates also make the same image of it.
const defaultRoots = "/usr/share/ca-certificates/mozilla"

// readRoots is the PEM of a file, or of all *.crt of a folder in the order of
// their names. What is no certificate authority is an error.
func readRoots(path string) ([]byte, error) {
	files := []string{path}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities: %w (install ca-certificates, or name a file with -roots)", err)
	}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.crt")); err != nil {
			return nil, err
		}
	}
	var all bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := addRoots(&all, text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if all.Len() == 0 {
		return nil, fmt.Errorf("%s has no certificates", path)
	}
	return all.Bytes(), nil
}

// addRoots writes the certificates of text and nothing else of it.
func addRoots(to *bytes.Buffer, text []byte) error {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("a block of type %q among the certificates", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		if !c.IsCA && c.Version == 3 {
			return fmt.Errorf("%q is no certificate authority", c.Subject)
		}
		if err := pem.Encode(to, &pem.Block{Type: block.Type, Bytes: block.Bytes}); err != nil {
			return err
		}
	}
}
