package outbox

import "maps"

// crew is the workers of one Run. It belongs to the goroutine that watches.
type crew struct {
	start   func(w *worker, after <-chan struct{}) running
	working map[string]running
	leaving map[string]<-chan struct{} // done of workers that were stopped
}

// running is a worker and the way to stop it at once.
type running struct {
	*worker
	stop func()
}

// assign brings the workers in line with the settings: those of receivers that
// stay get their new plan, those of receivers that are gone are stopped.
func (c *crew) assign(o *Outbox, s settings) {
	staying := make(map[string]struct{}, len(s.receivers))
	for _, r := range s.receivers {
		staying[r.Name] = struct{}{}
		p := plan{receiver: r, timings: s.Timings, storm: s.Storm, writer: newWriter(r, s.ExternalURL)}
		if w, ok := c.working[r.Name]; ok {
			w.replan(p)
			continue
		}
		c.working[r.Name] = c.start(newWorker(o, p), c.leaving[r.Name])
		delete(c.leaving, r.Name)
	}
	for name, w := range c.working {
		if _, stays := staying[name]; !stays {
			w.dismiss()
			w.stop()
			delete(c.working, name)
			c.leaving[name] = w.done
		}
	}
	maps.DeleteFunc(c.leaving, func(_ string, done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	o.publish(c.working)
}

// mark has all workers look at the records of sites again.
func (c *crew) mark(sites []string) {
	for _, w := range c.working {
		w.mark(sites)
	}
}
