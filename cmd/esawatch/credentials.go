package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// credentials say who asks. The password comes out of a file: a command line is
// seen by everybody on the machine, and kept by the shell.
type credentials struct{ user, passwordFile string }

// password is what the file holds, "" when nobody is named.
func (c *credentials) password() (string, error) {
	if c.user == "" && c.passwordFile == "" {
		return "", nil
	}
	if c.user == "" || c.passwordFile == "" {
		return "", errors.New("--user NAME and --password-file FILE go together")
	}
	if strings.Contains(c.user, ":") {
		return "", fmt.Errorf("--user: %q holds a colon, which basic authentication cannot say in a name", c.user)
	}
	text, err := os.ReadFile(c.passwordFile)
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("--password-file: %q is empty", c.passwordFile)
	}
	return password, nil
}
