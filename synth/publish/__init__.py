"""Publishing: the card of a data set, and the Hub."""

from synth.publish.card import Licenses, card_of, check_card_place, write_card
from synth.publish.configs import Config, configs_of
from synth.publish.push import Change, Pushed, push

__all__ = ["Change", "Config", "Licenses", "Pushed", "card_of", "check_card_place", "configs_of", "push", "write_card"]
