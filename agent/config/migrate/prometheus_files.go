package migrate

import "strings"

// fileTargets adds the targets of the files that a job names in file_sd_configs.
// They are those of today: what is written there later, esawatch does not see.
func (b *blackbox) fileTargets(job at, base target, rules moduleRules) {
	read := map[string]bool{} // patterns may name a file twice
	for _, entry := range job.key("file_sd_configs").each() {
		patterns := entry.key("files")
		for _, pattern := range patterns.texts() {
			files, err := b.opts.TargetFiles(pattern)
			switch {
			case err != nil:
				patterns.note("not all of it is carried over: "+strings.ReplaceAll(err.Error(), "\n", "; "), "name the targets with --target, or write the sites yourself")
			case len(files) == 0:
				patterns.note("is not carried over: no file is "+quoted(pattern), "import where the files are, or name the targets with --target")
			}
			for _, file := range files {
				if !read[file.Name] {
					b.targetFile(patterns, file, base, rules)
				}
				read[file.Name] = true
			}
		}
	}
}

// targetFile adds the targets of one such file, YAML or JSON.
func (b *blackbox) targetFile(from at, file Source, base target, rules moduleRules) {
	tree, err := parseYAML(file)
	if err != nil {
		from.note("is not carried over: "+err.Error(), "")
		return
	}
	for _, group := range b.root(tree, file.Name).each() {
		b.group(group, base, rules)
	}
}
