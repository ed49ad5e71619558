package events

// Subscription is one listener's ear.
type Subscription struct {
	hub   *Hub
	wants func(Told) bool
	eager bool
	wake  chan struct{}
	queue []Told
	lost  bool
}

// Close ends the subscription.
func (s *Subscription) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.all[s]; there && s.eager {
		h.eager--
	}
	delete(h.all, s)
}

// Wake says that Take has something.
func (s *Subscription) Wake() <-chan struct{} { return s.wake }

// Done is closed when the hub stops for good: the process ends.
func (s *Subscription) Done() <-chan struct{} { return s.hub.done }

// Take returns what was heard since, oldest first. lost says that there was
// more than is kept for a slow listener: look at everything anew.
func (s *Subscription) Take() (heard []Told, lost bool) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	heard, lost = s.queue, s.lost
	s.queue, s.lost = nil, false
	return heard, lost
}

// hear is called under the hub's lock.
func (s *Subscription) hear(r Told) {
	if s.lost {
		return
	}
	if len(s.queue) >= maxQueue {
		s.miss()
		return
	}
	s.queue = append(s.queue, r)
	s.ring()
}

func (s *Subscription) miss() {
	s.queue, s.lost = nil, true
	s.ring()
}

func (s *Subscription) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
