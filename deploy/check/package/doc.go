// Package packages checks what is installed on a machine: the systemd unit, and
// the deb and the rpm from their making to their removal.
package packages
