"""Step strings: chords, holds, and notes that are struck again where the chord changes."""

from audioae.demo.harmony import Key, Span, chord_pitches
from audioae.demo.patterns import play_steps

KEY = Key(0, "major")
SPANS = [Span(0, 2, 0, 0, 0.5), Span(2, 2, 3, 0, 0.5)]


def test_a_held_chord_is_struck_again_where_the_chord_changes():
    hits = play_steps("x---------------", SPANS, KEY, "triad", 64)
    assert [hit.beat for hit in hits] == [0, 0, 0, 2, 2, 2]
    assert {hit.beats for hit in hits} == {2.0}
    assert {int(hit.sound) % 12 for hit in hits[3:]} == {pitch % 12 for pitch in chord_pitches(KEY, 3, "triad", 64)}


def test_a_bass_line_plays_the_root_and_a_step_into_the_next_root():
    bass = play_steps("0-..a...", SPANS[:1], KEY, "triad", 40)
    assert (bass[0].beat, bass[0].beats, int(bass[0].sound) % 12) == (0, 0.5, 0)
    assert abs(int(bass[1].sound) - int(bass[0].sound)) == 1
