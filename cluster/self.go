package cluster

// advance moves this node on to a state, if it is not that far.
func (r *roster) advance(to state) {
	r.move(to, func(s state) bool { return s < to })
}

// quitJoining makes a node that is joining still one that has left, and tells
// whether it was: it has nothing to hand over, and does not turn active any more.
func (r *roster) quitJoining() bool {
	return r.move(left, func(s state) bool { return s == joining })
}

// move changes this node's state where the one that it has allows it, and tells
// everybody.
func (r *roster) move(to state, allowed func(state) bool) bool {
	moved := r.turn(to, allowed)
	if moved {
		r.node.spreadState()
	}
	return moved
}

// turn is move without gossip. Who is active at the moment when this node becomes
// so is kin.
func (r *roster) turn(to state, allowed func(state) bool) bool {
	r.mu.Lock()
	if !allowed(r.self.State) {
		r.mu.Unlock()
		return false
	}
	r.self.State = to
	if to == active {
		for id, o := range r.others {
			if o.inTable() {
				o.met = true
				r.kin[id] = true
			}
		}
	}
	if to >= leaving { // its last grants say what it has confirmed, and it confirms no more
		for _, o := range r.others {
			r.node.clock.Observe(o.told)
		}
	}
	told := to != left
	if told {
		r.tellState() // before the takes that follow
	}
	r.settle(true, false)
	if !told { // not before this node has stopped to serve
		r.mu.Lock()
		r.tellState()
		r.mu.Unlock()
	}
	return true
}

// me returns this node's own record.
func (r *roster) me() record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.self
}

// setGossip notes the address that this node's gossip has.
func (r *roster) setGossip(addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.self.Gossip = addr
}

// tellState tells every member directly how far this node is. It is called with
// mu held.
func (r *roster) tellState() {
	served := r.node.served.Load()
	for id, l := range *r.linked.Load() {
		if o := r.others[id]; o != nil {
			l.putState(&r.self, terms{kin: r.kin[id], served: served, drops: o.mine})
		}
	}
}
