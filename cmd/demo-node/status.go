package main

import "net/http"

func (a *api) health(w http.ResponseWriter, _ *http.Request) error {
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

func (a *api) ready(w http.ResponseWriter, _ *http.Request) error {
	if err := a.node.Ready(); err != nil {
		answer(w, http.StatusServiceUnavailable, &problem{Code: "not_ready", Sentence: err.Error()})
		return nil
	}
	answer(w, http.StatusOK, map[string]string{"status": "ready"})
	return nil
}

func (a *api) members(w http.ResponseWriter, _ *http.Request) error {
	answer(w, http.StatusOK, a.node.Members())
	return nil
}

func (a *api) stats(w http.ResponseWriter, _ *http.Request) error {
	answer(w, http.StatusOK, a.node.Stats())
	return nil
}

func (a *api) where(w http.ResponseWriter, r *http.Request) error {
	var args [2]string
	for i, name := range []string{"cache", "key"} {
		value, _, err := parameter(r.URL, name)
		if err != nil {
			return err
		}
		if value == "" {
			return badRequest(name + " is not given: want /v1/where?cache=…&key=…")
		}
		args[i] = value
	}
	answer(w, http.StatusOK, a.node.Where(args[0], args[1]))
	return nil
}
