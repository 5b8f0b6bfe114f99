"""A few synthetic patients to click through: each stands at another place of the way from order to report. Made once, then looked at."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from waiting import wait_for

from .emr import Order, Person, Procedure
from .lab import Address, Engine, Lab
from .openemr import OpenEmr, Registered
from .orders import STATUS_SECONDS, Clinic
from .reports import group, oru, send, text

pytestmark = [pytest.mark.adds, pytest.mark.demo, pytest.mark.proves("openemr", "mirth", "arc")]


@dataclass(frozen=True)
class Story:
    """A patient: `number` is the external one, `words` the report, `shown` what the page of orders says in the end."""

    number: str
    name: str
    born: str
    sex: str
    procedure: int
    shown: str
    imaged: bool = True
    words: str = ""
    status: str = "F"


STORIES = [
    Story("DEMO-1", "Quillfeather^Marisol", "1984-02-29", "Female", 0, "reported: final", words="No acute finding.\\.br\\Synthetic."),
    Story("DEMO-2", "Okonjo^Tobias", "1957-07-04", "Male", 1, "reported: preliminary", words="Small nodule, 4 mm.", status="P"),
    Story("DEMO-3", "Žižková^Alžběta", "1999-11-12", "Female", 1, "images available"),
    Story("DEMO-4", "Haverkamp^Lena", "1972-05-30", "Female", 0, "ordered", imaged=False),
]


@dataclass(frozen=True)
class Ward:
    """What it takes to tell a story."""

    lab: Lab
    procedures: tuple[Procedure, ...]
    openemr: OpenEmr
    clinic: Clinic
    reports: Address

    def tell(self, story: Story) -> Registered:
        """Register, order, image and report. Raises AssertionError where the lab does not follow."""
        found = self.openemr.find(story.number)
        patient = found or self.openemr.register(story.name, story.born, story.sex, pubpid=story.number)
        encounter = self.openemr.visit(patient, time.strftime("%Y-%m-%d"))
        procedure = self.procedures[story.procedure % len(self.procedures)]
        number = self.openemr.order(patient, encounter, [procedure.code], "ICD10:R05", "", "")
        person = Person(str(patient.pid), story.name, story.born.replace("-", ""), story.sex[0])
        order = Order(number, person, (procedure,), encounter=str(encounter))
        examination = self.clinic.examination(order)
        code, row = examination.first
        if story.imaged:
            step = self.clinic.modality.start(row)
            self.clinic.store_phantom(row)
            self.clinic.modality.finish(step)
            wait_for(lambda: "" if self.openemr.images_of(number) else f"no images of order {number} in the chart", STATUS_SECONDS, pause=2)
        if story.words:
            words = text(story.words, status=story.status)
            send(self.reports, oru(self.lab, examination, *group(examination, code, words, status=story.status)))
        return patient


@pytest.fixture
def ward(lab: Lab, lab_engine: Engine, openemr: OpenEmr, clinic: Clinic, reports: Address) -> Ward:
    """What it takes to tell a story."""
    return Ward(lab, tuple(Procedure(row.code, row.name) for row in lab_engine.procedures), openemr, clinic, reports)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.number)
def test_patient_to_click_through(story: Story, ward: Ward) -> None:
    patient = ward.openemr.find(story.number)
    # Also where a run that was killed left him half-way.
    if patient is None or story.shown not in ward.openemr.text_of(ward.openemr.imaging_orders(patient)):
        patient = ward.tell(story)
    page = ward.openemr.imaging_orders(patient)
    wait_for(lambda: "" if story.shown in ward.openemr.text_of(page) else f"the page of {story.name} does not say {story.shown!r}", 60)
