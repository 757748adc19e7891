"""What education serves below ``/api/v1/education/``."""

from platform_education.resources.courses import (
    ClassSectionResource,
    CourseOfferingResource,
    CourseOfferingTermResource,
    CourseResource,
)
from platform_education.resources.enrollments import (
    CourseEnrollmentResource,
    HomeroomAssignmentResource,
    SectionEnrollmentResource,
    TeachingAssignmentResource,
)
from platform_education.resources.organisations import (
    AcademicYearResource,
    OrganisationResource,
    SchoolResource,
    TermResource,
)
from platform_education.resources.people import (
    StudentDemographicsResource,
    StudentResource,
    TeacherResource,
)

RESOURCES = (
    OrganisationResource,
    SchoolResource,
    AcademicYearResource,
    TermResource,
    CourseResource,
    CourseOfferingResource,
    CourseOfferingTermResource,
    ClassSectionResource,
    StudentResource,
    StudentDemographicsResource,
    TeacherResource,
    CourseEnrollmentResource,
    SectionEnrollmentResource,
    TeachingAssignmentResource,
    HomeroomAssignmentResource,
)

__all__ = ["RESOURCES", *sorted(one.__name__ for one in RESOURCES)]
