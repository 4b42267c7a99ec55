package page

import (
	"fmt"
	"net"
	"testing"
)

// TestAlone: an agent that cannot reach the others says so on every page, first
// that it is cut off and then that it alerts by itself, and its incident is marked
// as a single view.
func TestAlone(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String() // where no NATS answers
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	_, config := oneShop(t)
	cluster := "cluster: {urls: [%q], region: eu, alone_after: %s}\n"
	cut := startAgent(t, fmt.Sprintf(cluster, "nats://"+nobody, "1h")+config)
	cut.shows("/", "Cut off from the other agents")
	p := cut.open()
	p.visit("/")
	p.has("Unless they can be reached again, it alerts by itself from")
	p.has("The others cannot be reached from here.")
	p.shoot("cut-off", "/")

	a := startAgent(t, fmt.Sprintf(cluster, "nats://"+nobody, "1s")+config)
	a.shows("/", "Alone, cut off from the other agents")
	p = a.open()
	p.visit("/")
	p.has("It alerts by itself, and its alerts say that nobody else was asked.")
	p.until("the standing is read out with the state", `document.querySelector("main").dataset.says.endsWith("Alone, cut off from the other agents")`)
	p.shoot("alone", "/")
	id := a.openIncident("shop")
	p.visit("/incidents/" + id)
	p.has("Single view: fra-1 is cut off from the other agents, so nobody else was asked.")
	p.shoot("alone-incident", "/incidents/"+id)
}
