"""The tables of education, in OneRoster's vocabulary."""

from platform_education.models.calendar import AcademicYear, Term
from platform_education.models.courses import (
    ClassSection,
    Course,
    CourseOffering,
    CourseOfferingTerm,
)
from platform_education.models.enrollments import (
    CourseEnrollment,
    Enrollment,
    EnrollmentStatus,
    HomeroomAssignment,
    SectionEnrollment,
    TeachingAssignment,
)
from platform_education.models.organisations import Organisation, School
from platform_education.models.people import Student, StudentDemographics, Teacher

__all__ = [
    "AcademicYear",
    "ClassSection",
    "Course",
    "CourseEnrollment",
    "CourseOffering",
    "CourseOfferingTerm",
    "Enrollment",
    "EnrollmentStatus",
    "HomeroomAssignment",
    "Organisation",
    "School",
    "SectionEnrollment",
    "Student",
    "StudentDemographics",
    "Teacher",
    "TeachingAssignment",
    "Term",
]
