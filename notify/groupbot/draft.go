package groupbot

// draft is a message that has to fit into so many bytes. Some lines are kept room
// for, whatever else has to go.
type draft struct {
	room      int // bytes that are left
	lines     []string
	kept      []string
	shortened string // said where something had to go
	full      bool
}

// keep keeps room for lines that addKept adds.
func (d *draft) keep(lines ...string) {
	d.kept = lines
	d.room -= size(lines)
}

// keepIfCut keeps room for the line that says that something is missing.
func (d *draft) keepIfCut(line string) {
	d.shortened = line
	d.room -= size([]string{line})
}

// add adds the lines that fit, and tells whether all of them do. After some that
// did not, nothing is added.
func (d *draft) add(lines []string) (all bool) {
	if len(d.lines) == 0 && len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	for _, line := range lines {
		if d.full = d.full || d.room < len(line)+1; d.full {
			return false
		}
		d.lines, d.room = append(d.lines, line), d.room-len(line)-1
	}
	return true
}

// addKept adds the lines that there was kept room for.
func (d *draft) addKept() { d.lines, d.kept = append(d.lines, d.kept...), nil }

// done is the message.
func (d *draft) done() []string {
	if d.full {
		return append(d.lines, d.shortened)
	}
	return d.lines
}

func size(lines []string) (bytes int) {
	for _, line := range lines {
		bytes += len(line) + 1
	}
	return bytes
}
