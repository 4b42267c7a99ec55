package migrate

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// secretName is what names of headers, query parameters and fields have in
// common when their value is a secret.
var secretName = regexp.MustCompile(`(?i)(^|[-_.]|x-?)(auth|authorization|cookie|session|credential|signature|sig|code)s?$|passw|passphrase|^pass$|_pass$|^pwd$|secret|token|api-?_?key|access-?_?key|^key$|private`)

// secret keeps a secret of a source out of the result: it gives the variable
// that stands for it. Name is what the variable is called after; the same secret
// is the same variable wherever it stands.
func (d *draft) secret(a at, name, value string) text {
	if value == "" {
		return ""
	}
	t := d.text(value)
	if m := variableOnly.FindStringSubmatch(string(t)); m != nil {
		d.needVariable(m[1], a)
		return t // the source keeps it elsewhere already
	}
	if known, ok := d.secrets[value]; ok {
		return text("${" + known + "}")
	}
	variable := d.variables.unique(variableName(name), "_")
	d.secrets[value] = variable
	d.needVariable(variable, a)
	return text("${" + variable + "}")
}

// needVariable notes that a variable has to be set, for the first places at least.
func (d *draft) needVariable(name string, a at) {
	const most = 4 // places that are named
	i, known := d.needed[name]
	if !known {
		d.needed[name] = len(d.needs)
		d.needs = append(d.needs, Need{Variable: name, For: a.where()})
		return
	}
	if place := a.where(); !strings.Contains(d.needs[i].For, place) && strings.Count(d.needs[i].For, "; ") < most-1 {
		d.needs[i].For += "; " + place
	}
}

func (d *draft) needFile(path text, a at) {
	name := "file " + string(path)
	if _, known := d.needed[name]; !known {
		d.needed[name] = len(d.needs)
		d.needs = append(d.needs, Need{File: string(path), For: a.where()})
	}
}

// where is the path and the place of a value, for people.
func (a at) where() string {
	return oneLine(strings.Trim(a.path+", "+Note{File: a.file, Line: a.line}.place(), ", "))
}

// variableName makes the name of a variable of any words.
func variableName(words string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, words)
	for strings.Contains(name, "__") {
		name = strings.ReplaceAll(name, "__", "_")
	}
	name = strings.Trim(name, "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "SECRET_" + name
	}
	return name[:min(len(name), 60)]
}

// secretFields are the forms in which a body has a secret: JSON, a form, XML.
var secretFields = []*regexp.Regexp{
	regexp.MustCompile(`(?i)("[^"\\]*(?:passw|passphrase|secret|token|api-?_?key|credential|client_id)[^"\\]*"\s*:\s*")((?:[^"\\]|\\.)+)(")`),
	regexp.MustCompile(`(?i)((?:^|[?&\s])[^=&\s]*(?:passw|passphrase|secret|token|api-?_?key|credential)[^=&\s]*=)([^&\s]+)()`),
	regexp.MustCompile(`(?i)(<[^/>]*(?:passw|passphrase|secret|token|api-?_?key|credential)[^>]*>)([^<]+)(<)`),
}

// body keeps the secrets of a request's body out of the result, as far as they
// can be told.
func (d *draft) body(a at, name, body string) text {
	type hole struct {
		from, to int
		name     string
	}
	var holes []hole
	for _, form := range secretFields {
		for _, m := range form.FindAllStringSubmatchIndex(body, -1) {
			holes = append(holes, hole{m[4], m[5], body[m[2]:m[3]]})
		}
		if len(holes) > 0 {
			break // a body is of one kind
		}
	}
	var b strings.Builder
	at := 0
	for _, h := range holes {
		b.WriteString(string(d.text(body[at:h.from])))
		b.WriteString(string(d.secret(a, name+"_"+h.name, body[h.from:h.to])))
		at = h.to
	}
	b.WriteString(string(d.text(body[at:])))
	return text(b.String())
}

// basicOf reads user and password out of a header "Basic …".
func basicOf(header string) (user, password string, ok bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return "", "", false
	}
	user, password, ok = strings.Cut(string(data), ":")
	return user, password, ok && user != "" && password != ""
}

// bearerOf reads the token out of a header "Bearer …".
func bearerOf(header string) (token string, ok bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	token = strings.TrimSpace(rest)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}
