package config

import "maps"

// overlay lays one layer over another: mappings are merged, everything else is
// replaced. Its form is that of koanf's merge function.
//
// Three things are wholes and are replaced: a way to authenticate, a body (text
// or file), and what a JSONPath is to be equal to.
func overlay(src, dest map[string]any) error {
	for key, v := range src {
		above, isMap := v.(map[string]any)
		below, wasMap := dest[key].(map[string]any)
		switch {
		case !isMap || !wasMap || key == "auth":
			dest[key] = v
		case key == "json":
			merged := maps.Clone(below)
			maps.Copy(merged, above)
			dest[key] = merged
		default:
			merged := maps.Clone(below)
			if err := overlay(above, merged); err != nil {
				return err
			}
			dest[key] = merged
		}
	}
	if file, _ := src["body_file"].(string); file != "" {
		dest["body"] = ""
	} else if body, _ := src["body"].(string); body != "" {
		dest["body_file"] = ""
	}
	return nil
}

// layer is settings with everything below them laid under: as a tree for the
// next layer to be laid over, and as a value.
type layer struct {
	tree  map[string]any
	value Settings
}

// with lays a site's or a check's own settings over base. Only what they touch is
// filled in: a check that sets nothing costs nothing.
func (l *loader) with(base layer, own map[string]any) (layer, error) {
	if len(own) == 0 {
		return base, nil
	}
	merged := maps.Clone(base.tree)
	if err := overlay(own, merged); err != nil {
		return layer{}, err
	}
	touched := make(map[string]any, len(own)+2)
	for key := range own {
		touched[key] = merged[key]
	}
	for _, key := range []string{"body", "body_file"} { // one may have cleared the other
		if v, ok := merged[key]; ok {
			touched[key] = v
		}
	}
	value := base.value
	if err := l.fill(touched, &value); err != nil {
		return layer{}, err
	}
	return layer{merged, value}, nil
}
