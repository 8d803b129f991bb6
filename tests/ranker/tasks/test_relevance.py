import pytest
from pydantic import ValidationError

from ranker.tasks import Relevance


def test_an_order_has_no_score_to_multiply_by_the_probability_of_a_condition():
    with pytest.raises(ValidationError, match="given: multiplies the score by the probability of 'click'"):
        Relevance(kind="relevance", given="click")
