package config

import (
	"maps"
	"reflect"

	"github.com/go-viper/mapstructure/v2"
)

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

// with lays a site's or a check's own settings over l. Only what they touch is
// decoded: a check that sets nothing costs nothing.
func (l layer) with(own map[string]any, d *decoder) (layer, error) {
	if len(own) == 0 {
		return l, nil
	}
	merged := maps.Clone(l.tree)
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
	value := l.value
	if err := d.decode(touched, &value); err != nil {
		return layer{}, err
	}
	return layer{merged, value}, nil
}

// decoder makes structs of trees that the reader has checked. It finds no
// errors of the operator's; its own would be a fault of this package.
type decoder struct {
	secrets func(secretLeaf) Secret
}

func (d *decoder) decode(tree map[string]any, into any) error {
	return decode(tree, into, d.secrets)
}

func decode(tree map[string]any, into any, secrets func(secretLeaf) Secret) error {
	dec, err := mapstructure.NewDecoder(decoderConfig(into, secrets))
	if err != nil {
		return err
	}
	return dec.Decode(tree)
}

// decoderConfig is strict: exact names, exact types, nothing unknown. Slices and
// maps are made new, since the value that is decoded onto shares its own with
// other checks.
func decoderConfig(into any, secrets func(secretLeaf) Secret) *mapstructure.DecoderConfig {
	leaf := reflect.TypeFor[secretLeaf]()
	return &mapstructure.DecoderConfig{
		Result:               into,
		TagName:              "yaml",
		SquashTagOption:      "inline",
		ZeroFields:           true,
		ErrorUnused:          true,
		IgnoreUntaggedFields: true,
		MatchName:            func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.DecodeHookFuncType(func(from, to reflect.Type, data any) (any, error) {
			if from == leaf && to == secretType {
				return secrets(data.(secretLeaf)), nil
			}
			return data, nil
		}),
	}
}
